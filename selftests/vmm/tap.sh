# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# What the tests of the umbra tool share: TAP lines, running the tool, looking at
# what it said. Sourced, by a POSIX shell as small as busybox's.
#
# Environment: DEVICE is the hypervisor (default /dev/umbra), UMBRA the tool, GUESTS
# the folder of tiny guests, LIMIT the seconds one guest may take.

: "${DEVICE:=/dev/umbra}"
: "${UMBRA:=build/umbra}"
: "${GUESTS:=build/guests}"
: "${LIMIT:=120}"

here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tests=0
planned=0
failures=0
status=0

# plan N: so many tests are to come; fewer reported ones are a failure.
plan() {
	planned=$1
	echo "1..$planned"
}

# ok NAME: the commands before it have shown what they should.
ok() {
	tests=$((tests + 1))
	echo "ok $tests $1"
}

# not_ok NAME WHY: and what the tool said last, as comments.
not_ok() {
	tests=$((tests + 1))
	failures=$((failures + 1))
	echo "not ok $tests $1"
	echo "# $2"
	[ ! -s "$work/out" ] || sed 's/^/# out: /' "$work/out"
	[ ! -s "$work/err" ] || sed 's/^/# err: /' "$work/err"
}

# skip NAME WHY
skip() {
	tests=$((tests + 1))
	echo "ok $tests $1 # SKIP $2"
}

finish() {
	[ "$tests" -eq "$planned" ] || echo "# $tests tests ran, $planned were planned"
	[ "$failures" -eq 0 ] && [ "$tests" -eq "$planned" ]
	exit
}

# tool ARG...: run it; $status, $work/out, $work/err
tool() {
	"$UMBRA" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}

# run ARG...: run a guest on the device
run() {
	tool run --device "$DEVICE" --timeout "$LIMIT" "$@"
}

# wait_for FILE TEXT: until $pid has written TEXT there, or has ended
wait_for() {
	while ! grep -qs "$2" "$work/$1" && kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
	done
}

# terminate TEXT ARG...: run the tool until it says TEXT, and end it by SIGTERM; as tool
terminate() {
	text=$1
	shift
	# What the run before wrote must not be taken for this one's.
	rm -f "$work/out"
	"$UMBRA" "$@" >"$work/out" 2>"$work/err" &
	pid=$!
	wait_for out "$text"
	kill -TERM $pid
	wait $pid
	status=$?
}

# The modes of the MMU that the device offers, as --mmu takes them; none on KVM.
mmu_modes() {
	"$UMBRA" check --device "$DEVICE" | sed -n \
		-e '/^yes *mmu-modes /!d' -e 's/^.*(optional) *//' -e 's/ (default)//' -e 's/,//gp'
}

# expect NAME STATUS [FILE REGEX]...: judge the last run. FILE is out or err.
expect() {
	name=$1 wanted=$2
	shift 2
	if [ "$status" -ne "$wanted" ]; then
		not_ok "$name" "exit status $status, $wanted wanted"
		return
	fi
	while [ $# -ge 2 ]; do
		if ! grep -qE -e "$2" "$work/$1"; then
			not_ok "$name" "no '$2' in $1"
			return
		fi
		shift 2
	done
	ok "$name"
}

# json PATH: print what the document in $work/out has there; fails on bad JSON.
json() {
	awk -v want="$1" -f "$here/json.awk" "$work/out"
}

# expect_json NAME STATUS [PATH REGEX]...: the last run printed one JSON document.
expect_json() {
	name=$1 wanted=$2
	shift 2
	if [ "$status" -ne "$wanted" ]; then
		not_ok "$name" "exit status $status, $wanted wanted"
		return
	fi
	if ! json . >"$work/json" 2>&1; then
		not_ok "$name" "$(cat "$work/json")"
		return
	fi
	while [ $# -ge 2 ]; do
		if ! json "$1" 2>&1 | grep -qE -e "$2"; then
			not_ok "$name" "$1 is '$(json "$1")', '$2' wanted"
			return
		fi
		shift 2
	done
	ok "$name"
}
