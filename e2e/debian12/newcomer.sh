#!/bin/bash
# newcomer.sh does what the README says, in a clone of the project: make run until the
# report is there and the page answers, Ctrl-C, make test. It needs bash and no more
# than make run itself.
set -eu
cd "$(dirname "$0")/../.."
most=20000000 # bytes of the agent's program

fail() {
	echo "newcomer: $*" >&2
	tail -40 run.log >&2
	exit 1
}

left() { # left names the processes of the demo that are still there
	for p in /proc/[0-9]*; do
		case $(tr '\0' ' ' <"$p/cmdline" 2>/dev/null) in *gpumeter\ demo*|*gpumeter-agent\ *) echo "$p" ;; esac
	done
}

go version
git log -1 --format='commit %h'
started=$SECONDS
set -m # a job of its own, which Ctrl-C reaches as in a terminal
make run >run.log 2>&1 &
job=$!
set +m
until grep -qs 'Ctrl-C' run.log; do
	[ -d /proc/$job ] || fail "make run ended"
	[ $((SECONDS - started)) -lt 1800 ] || fail "make run has shown no report for half an hour"
	sleep 1
done
echo "make run: the report was there after $((SECONDS - started)) s"
grep -q 'sum of buckets = contracted' run.log || fail "the report shows no check"

at=$(sed -n 's|^ *page  *http://\([^/]*\)/.*|\1|p' run.log)
exec 3<>"/dev/tcp/${at%:*}/${at##*:}"
printf 'GET / HTTP/1.0\r\nHost: %s\r\n\r\n' "$at" >&3
page=$(cat <&3)
exec 3>&-
case $page in "HTTP/1."?" 200 "*"</html>"*) echo "page: ${#page} bytes from $at" ;; *) fail "the page at $at says ${page:0:200}" ;; esac

started=$SECONDS
kill -INT -- -$job
wait $job || [ $? = 130 ] || fail "make run did not end as by Ctrl-C" # make itself dies of it
[ -z "$(left)" ] || fail "Ctrl-C left $(left)"
echo "Ctrl-C: all had ended after $((SECONDS - started)) s"

for program in gpumeter-agent gpumeter; do
	echo "bin/$program: $(stat -c %s bin/$program) bytes"
done
[ "$(stat -c %s bin/gpumeter-agent)" -le $most ] || fail "the agent has more than $most bytes"

started=$SECONDS
make test
echo "make test: $((SECONDS - started)) s"
