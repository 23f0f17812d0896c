import { skewTicks, tickEpochMs, ticksPerMs } from './algorithms.ts'

/**
 * The arithmetic of algorithms.ts for all limits of a request in one atomic step, by the clock of the store, so that
 * gateways whose clocks differ agree. For each key: what it costs, its quota (ticks of a full bucket, or requests of a
 * window) and its window in ticks (0: a bucket). Replies 1 or 0, the time, and how each key stood before.
 */
export const decisionScript = `
local time = redis.call('TIME')
local now = (time[1] - ${tickEpochMs / 1000}) * ${ticksPerMs * 1000} + time[2] * ${ticksPerMs / 1000}
local skew = ${skewTicks}
local reply = {1, now}
local states = {}
local function keep(key, state, ticks)
  redis.call('SET', key, state, 'PX', math.max(1, math.ceil(ticks / ${ticksPerMs})))
end
for i, key in ipairs(KEYS) do
  local cost, quota, window = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local kept = redis.call('GET', key)
  if window == 0 then
    local full = math.max(kept and tonumber(kept) or now, now)
    if full > now + quota + skew then
      full = now + quota
      keep(key, string.format('%.0f', full), quota)
    end
    local after = full + cost
    if after > now + quota then reply[1] = 0 end
    states[i] = {string.format('%.0f', after), after - now}
    table.insert(reply, full)
  else
    local index = math.floor(now / window)
    local left = window - (now - index * window)
    local current, former = 0, 0
    if kept then
      local at, c, f = string.match(kept, '^(-?%d+):(%d+):(%d+)$')
      local age = index - at
      if age < 0 and -age * window <= math.max(window, skew) then index, age, left = at + 0, 0, window end
      if age <= 0 then current, former = tonumber(c), tonumber(f) elseif age == 1 then former = tonumber(c) end
      if age < 0 then keep(key, string.format('%.0f:%d:%d', index, current, former), left + window) end
    end
    if cost > quota - current - former * left / window then reply[1] = 0 end
    states[i] = {string.format('%.0f:%d:%d', index, current + cost, former), left + window}
    table.insert(reply, index)
    table.insert(reply, current)
    table.insert(reply, former)
  end
end
if reply[1] == 1 then
  for i, key in ipairs(KEYS) do
    if tonumber(ARGV[3 * i - 2]) > 0 then keep(key, states[i][1], states[i][2]) end
  end
end
return reply
`
