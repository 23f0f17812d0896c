-- What wrk sends and how it tells the result: one line that load.ts reads, exact where wrk's own summary is rounded.
-- Arguments, as name=value after `--`:
--   method  of the request, default GET
--   body    bytes of its body
--   token   goes into Authorization
--   routes  so many paths, one a route, instead of the URL's

function init(args)
  local given = {}
  for _, arg in ipairs(args) do
    local name, value = arg:match('^(%w+)=(.*)$')
    if name then given[name] = value end
  end
  wrk.method = given.method or 'GET'
  if given.body then wrk.body = string.rep('x', tonumber(given.body)) end
  if given.token then wrk.headers['Authorization'] = 'Bearer ' .. given.token end
  if given.routes then goThrough(tonumber(given.routes)) end
end

-- In a shuffled order: neighbours in the table should not be neighbours in time.
function goThrough(count)
  local requests = {}
  for i = 1, count do requests[i] = wrk.format(nil, string.format('/api/v1/res%04d/18254', i - 1)) end
  math.randomseed(42)
  for i = count, 2, -1 do
    local j = math.random(i)
    requests[i], requests[j] = requests[j], requests[i]
  end
  local next = 0
  -- A global of this name makes wrk ask for every request; without one it sends the same bytes again and again.
  request = function()
    next = next % count + 1
    return requests[next]
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'result requests=%d micros=%d bytes=%d p50=%d p99=%d connect=%d read=%d write=%d timeout=%d status=%d',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status
  ))
end
