"""What a crawl still has to fetch, leased to workers, and one clock per host; on SQLite or on Redis."""
