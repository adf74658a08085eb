-- Checks one request against all of its shared limits, and charges all of them or none.
--
-- KEYS[i]  the state of limit i, two integers "a:b"; a missing key means an unused bucket
-- ARGV     six per limit: kind, 1 if it can refuse, cost, lease, x, y
--
--   kind     x                y             a               b
--   token    interval, ns     depth, ns     the TAT, us     its nanoseconds, 0 to 999
--   fixed    limit            window, us    the window      its count
--   sliding  limit            window, us    the window      previous count * 65536 + its count
--
-- Returns 1 if the limits were charged, the time in us, and each limit's a and b before the charge.
--
-- The script uses the clock of the store, because the clocks of gateways differ. A Lua number is a
-- double, exact to 2^53: enough for microseconds until 2255, not for nanoseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- Each function returns the next a and b and the milliseconds until the bucket is full again, or
-- nothing if the cost exceeds what is left.
local charge = {}

function charge.token(a, b, cost, interval, depth)
    local needed = math.max((a - now) * 1000 + b, 0) + cost * interval
    if needed > depth then return end
    local ns = needed % 1000
    return now + (needed - ns) / 1000, ns, needed / 1000000
end

function charge.fixed(a, b, cost, limit, window)
    local current = math.floor(now / window)
    if current <= a then current = a else b = 0 end
    if cost > limit - b then return end
    return current, b + cost, ((current + 1) * window - now) / 1000
end

function charge.sliding(a, b, cost, limit, window)
    local current = math.floor(now / window)
    local left = window - (now - current * window)
    local before, counted = math.floor(b / 65536), b % 65536
    if current < a then
        current, left = a, window
    elseif current == a + 1 then
        before, counted = counted, 0
    elseif current > a then
        before, counted = 0, 0
    end
    local room = limit - counted - cost
    if room < 0 or room * window < before * left then return end
    return current, before * 65536 + counted + cost, (left + window) / 1000
end

local limits, reply = {}, { 1, now }
for i, key in ipairs(KEYS) do
    local value = redis.call('GET', key)
    local a, b = 0, 0
    if value then
        a, b = string.match(value, '^(%d+):(%d+)$')
        a, b = tonumber(a), tonumber(b)
    end
    local kind, enforced, cost, lease, x, y = unpack(ARGV, i * 6 - 5, i * 6)
    x, y = tonumber(x), tonumber(y)
    local function try(n) return { charge[kind](a, b, tonumber(n), x, y) } end
    limits[i] = { try(cost), try(lease) }
    if #limits[i][1] == 0 and enforced == '1' then reply[1] = 0 end
    reply[i * 2 + 1], reply[i * 2 + 2] = a, b
end

if reply[1] == 1 then
    for i, key in ipairs(KEYS) do
        -- Charge the lease if enough is left for it, and otherwise the cost of the request.
        local state = #limits[i][2] > 0 and limits[i][2] or limits[i][1]
        if #state > 0 then
            local text = string.format('%.0f:%.0f', state[1], state[2])
            redis.call('SET', key, text, 'PX', string.format('%.0f', math.ceil(state[3])))
        end
    end
end
return reply
