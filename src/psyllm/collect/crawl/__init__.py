"""The polite crawler: permission first, robots.txt or nothing, one clock a host, nothing lost on a crash."""
