# Runs HAProxy once its certificate is there, and again has it read the certificate when that changes:
# connections go on. Signals to this shell are HAProxy's.
set -u
pem=/run/daykey/tls/server.pem
until [ -s "$pem" ]; do sleep 0.2; done
read_at=$(stat -c %Y "$pem")
haproxy -W -db -f /etc/daykey-proxy/haproxy.cfg &
proxy=$!
trap 'kill -USR1 "$proxy"' USR1
trap 'kill -TERM "$proxy"' TERM INT
while kill -0 "$proxy" 2>/dev/null; do
  sleep 5 &
  nap=$!
  # A signal ends the wait, and so does HAProxy's own end.
  wait -n "$proxy" "$nap" 2>/dev/null
  kill "$nap" 2>/dev/null
  changed_at=$(stat -c %Y "$pem" 2>/dev/null || echo "$read_at")
  if [ "$changed_at" != "$read_at" ]; then
    read_at=$changed_at
    kill -USR2 "$proxy"
  fi
done
wait "$proxy"
