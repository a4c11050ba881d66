#!lua
-- The frontier of many machines: every operation is one run of this script, so it is atomic.
--
-- The first line (Redis 7) makes a full Redis refuse the run at its start, never half-way.
--
-- KEYS[1] is the crawl's prefix; ARGV is the operation, the time ("" takes the
-- server's own, so that workers' clocks need not agree) and the input as JSON.
-- A page is {state, token, attempt, depth, order, kind, host, worker}; a settled one keeps its state only.
--
--   pages        hash  url -> page
--   wait:HOST    zset  urls that may be claimed, by order of arrival
--   turns        zset  hosts that have such urls, by when they had their last turn
--   due          zset  leased and later urls, by the time at which they wait again
--   done:OUTCOME zset  url, kind, where and detail of what ended so, ordered by url
--   tally        hash  state or outcome -> how many urls
--   counters     hash  order, turn
--   settle:NONCE       what a settle call answered, so that a retried one answers the same

local WAITING, LATER, LEASED, ENDED = 0, 1, 2, 3
local NAMES = { [WAITING] = "waiting", [LATER] = "later", [LEASED] = "leased" }
local STATE, TOKEN, ATTEMPT, DEPTH, ORDER, KIND, HOST, WORKER = 1, 2, 3, 4, 5, 6, 7, 8
local REMEMBERED_S = 600

local prefix, operation, input = KEYS[1], ARGV[1], cjson.decode(ARGV[3])
local tally = {}

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

-- Lua writes large numbers with 14 digits; a time in microseconds has 16.
local function exact(number)
  return string.format("%.6f", number)
end

local function count(name, n)
  tally[name] = (tally[name] or 0) + n
end

local function write(url, page)
  redis.call("HSET", key("pages"), url, cmsgpack.pack(page))
end

local function counter(name)
  return tonumber(redis.call("HGET", key("counters"), name) or "0")
end

-- How many are of a state or outcome now, with what this run has changed.
local function how_many(name)
  return tonumber(redis.call("HGET", key("tally"), name) or "0") + (tally[name] or 0)
end

local function let_wait(url, page)
  redis.call("ZADD", key("wait:" .. page[HOST]), page[ORDER], url)
  -- A host that had nothing waiting stands at the end of the line.
  redis.call("ZADD", key("turns"), "NX", counter("turn"), page[HOST])
end

local function leave(url, page)
  if page[STATE] == WAITING then
    local line = key("wait:" .. page[HOST])
    redis.call("ZREM", line, url)
    if redis.call("ZCARD", line) == 0 then
      redis.call("ZREM", key("turns"), page[HOST])
    end
  else
    redis.call("ZREM", key("due"), url)
  end
  count(NAMES[page[STATE]], -1)
end

-- Returns the page of a lease that is the newest and has not ended.
local function open_page(lease)
  local packed = redis.call("HGET", key("pages"), lease.url)
  if not packed then
    return nil
  end
  local page = cmsgpack.unpack(packed)
  if page[STATE] == ENDED or page[TOKEN] ~= lease.token then
    return nil
  end
  return page
end

local function take_in(asks)
  local order, new = counter("order"), 0
  for _, ask in ipairs(asks) do
    local page = { WAITING, 0, 0, ask.depth, order + 1, ask.kind, ask.host }
    if redis.call("HSETNX", key("pages"), ask.url, cmsgpack.pack(page)) == 1 then
      order, new = order + 1, new + 1
      let_wait(ask.url, page)
    end
  end
  redis.call("HSET", key("counters"), "order", order)
  count("waiting", new)
  return new
end

local function release_due()
  for _, url in ipairs(redis.call("ZRANGEBYSCORE", key("due"), "-inf", exact(now))) do
    local page = cmsgpack.unpack(redis.call("HGET", key("pages"), url))
    leave(url, page)
    page[STATE] = WAITING
    count("waiting", 1)
    write(url, page)
    let_wait(url, page)
  end
end

local function hosts_in_turn(most)
  local paused, many = {}, #input.paused
  for _, host in ipairs(input.paused) do
    paused[host] = true
  end
  local hosts = {}
  for _, host in ipairs(redis.call("ZRANGE", key("turns"), 0, most + many - 1)) do
    if not paused[host] and #hosts < most then
      hosts[#hosts + 1] = host
    end
  end
  return hosts
end

local function lease(url, ending)
  local page = cmsgpack.unpack(redis.call("HGET", key("pages"), url))
  page[STATE], page[TOKEN], page[ATTEMPT] = LEASED, page[TOKEN] + 1, page[ATTEMPT] + 1
  page[WORKER] = input.worker
  write(url, page)
  redis.call("ZADD", key("due"), exact(ending), url)
  count("waiting", -1)
  count("leased", 1)
  return { url, page[KIND], page[DEPTH], page[TOKEN], page[ATTEMPT] }
end

local function give_turns(hosts)
  local turn = counter("turn")
  for _, host in ipairs(hosts) do
    turn = turn + 1
    redis.call("ZADD", key("turns"), "XX", turn, host)
  end
  redis.call("HSET", key("counters"), "turn", turn)
end

local operations = {}

function operations.add()
  return { take_in(input.asks) }
end

function operations.claim()
  release_due()
  local left = input.most
  if input.limit then
    left = math.min(left, input.limit - how_many("stored") - how_many("leased"))
  end
  if left <= 0 then
    return {}
  end
  local served = hosts_in_turn(left)
  local open, leases = served, {}
  while left > 0 and #open > 0 do
    local still = {}
    for _, host in ipairs(open) do
      local popped = left > 0 and redis.call("ZPOPMIN", key("wait:" .. host)) or {}
      if popped[1] then
        leases[#leases + 1] = lease(popped[1], now + input.lease_s)
        left = left - 1
        still[#still + 1] = host
      end
    end
    open = still
  end
  for _, host in ipairs(served) do
    if redis.call("EXISTS", key("wait:" .. host)) == 0 then
      redis.call("ZREM", key("turns"), host)
    end
  end
  give_turns(served)
  return leases
end

function operations.extend()
  local held = {}
  for place, asked in ipairs(input.leases) do
    local page = open_page(asked)
    if page then
      leave(asked.url, page)
      page[STATE] = LEASED
      count("leased", 1)
      write(asked.url, page)
      redis.call("ZADD", key("due"), exact(now + input.lease_s), asked.url)
      held[#held + 1] = place
    end
  end
  return held
end

function operations.settle()
  local answered = redis.call("GET", key("settle:" .. input.nonce))
  if answered then
    return cjson.decode(answered)
  end
  local counted = {}
  for place, item in ipairs(input.done) do
    local page = open_page(item)
    if page then
      leave(item.url, page)
      write(item.url, { ENDED })
      count(item.outcome, 1)
      local line = table.concat({ item.url, page[KIND], item.where, item.detail }, "\0")
      redis.call("ZADD", key("done:" .. item.outcome), 0, line)
      take_in(item.found)
      counted[#counted + 1] = place
    end
  end
  redis.call("SET", key("settle:" .. input.nonce), cjson.encode(counted), "EX", REMEMBERED_S)
  return counted
end

function operations.give_back()
  for _, asked in ipairs(input.leases) do
    local page = open_page(asked)
    if page then
      leave(asked.url, page)
      page[TOKEN] = page[TOKEN] + 1
      page[ATTEMPT] = page[ATTEMPT] - input.untried
      if input.wait_s > 0 then
        page[STATE] = LATER
        redis.call("ZADD", key("due"), exact(now + input.wait_s), asked.url)
      else
        page[STATE] = WAITING
        let_wait(asked.url, page)
      end
      count(NAMES[page[STATE]], 1)
      write(asked.url, page)
    end
  end
  return {}
end

local result = operations[operation]()
for name, n in pairs(tally) do
  if n ~= 0 then
    redis.call("HINCRBY", key("tally"), name, n)
  end
end
-- An empty table would be written as an object.
return { next(result) == nil and "[]" or cjson.encode(result) }
