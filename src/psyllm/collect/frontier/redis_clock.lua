#!lua
-- One clock per host for workers on many machines: grant, hold, sent and pause, each one atomic run.
--
-- KEYS[1] is the clock's prefix; ARGV is the operation, the time ("" takes the
-- server's own), the host, the seconds (of delay, or of pause), the number of
-- the grant, the longest hold. A grant answers the seconds to wait and its number.
--
--   next    hash  host -> no grant before
--   held    hash  host -> the grant whose hold has not been ended
--   paused  hash  host -> until

local prefix, operation, host, seconds = KEYS[1], ARGV[1], ARGV[3], tonumber(ARGV[4])

local function key(name)
  return prefix .. name
end

local function time_now()
  if ARGV[2] ~= "" then
    return tonumber(ARGV[2])
  end
  local parts = redis.call("TIME")
  return tonumber(parts[1]) + tonumber(parts[2]) / 1000000
end

local now = time_now()

local function exact(number)
  return string.format("%.6f", number)
end

local function at(name)
  return tonumber(redis.call("HGET", key(name), host) or "0")
end

local function grant()
  local rest, next_at = math.max(0, at("paused") - now), at("next")
  if next_at > now then
    -- A holder may send at any moment, so ask again after one delay.
    local held = redis.call("HEXISTS", key("held"), host) == 1
    rest = math.max(rest, held and math.min(next_at - now, seconds) or next_at - now)
  end
  if rest > 0 then
    return { exact(rest), "0" }
  end
  local number = redis.call("HINCRBY", key("counters"), "grants", 1)
  redis.call("HSET", key("held"), host, number)
  redis.call("HSET", key("next"), host, exact(now + tonumber(ARGV[6]) + seconds))
  return { "0", tostring(number) }
end

local function hold()
  if redis.call("HGET", key("held"), host) == ARGV[5] then
    redis.call("HSET", key("next"), host, exact(now + tonumber(ARGV[6]) + seconds))
  end
  return {}
end

local function sent()
  local next_at = now + seconds
  if redis.call("HGET", key("held"), host) == ARGV[5] then
    redis.call("HDEL", key("held"), host)
  else
    next_at = math.max(next_at, at("next"))
  end
  redis.call("HSET", key("next"), host, exact(next_at))
  return {}
end

local function pause()
  redis.call("HSET", key("paused"), host, exact(math.max(at("paused"), now + seconds)))
  return {}
end

local function paused()
  local rows, hosts = redis.call("HGETALL", key("paused")), {}
  for i = 1, #rows, 2 do
    if tonumber(rows[i + 1]) > now then
      hosts[#hosts + 1] = rows[i]
    else
      redis.call("HDEL", key("paused"), rows[i])
    end
  end
  return hosts
end

local operations = { grant = grant, hold = hold, sent = sent, pause = pause, paused = paused }
return operations[operation]()
