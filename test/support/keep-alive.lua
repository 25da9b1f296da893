-- Each connection waits between its requests, so that others have the processors too.
function delay()
  return 10
end

function done(summary)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}',
    summary.requests, errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
