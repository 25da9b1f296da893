-- With a file of addresses, every request is made before the first is sent, so that sending costs wrk no more
-- than a look at a table. Without one, wrk sends the same request again and again, untouched by this script.
local callers = os.getenv("BENCH_CALLERS")

if callers then
  -- the length of a table is searched for anew each time it is asked
  local prepared, count, at = {}, 0, 0

  function init()
    wrk.headers["X-Forwarded-For"] = "@"
    local head, tail = wrk.format():match("^(.*)@(.*)$")
    for address in io.lines(callers) do
      count = count + 1
      prepared[count] = head .. address .. tail
    end
    at = tonumber(os.getenv("BENCH_FIRST_CALLER")) % count
    collectgarbage()
    collectgarbage("stop")
  end

  function request()
    at = at + 1
    if at > count then at = 1 end
    return prepared[at]
  end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("result %d %d %d %d %d", summary.requests, summary.duration, failed, latency:percentile(99), latency.max))
end
