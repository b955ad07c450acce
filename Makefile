# The verbs of this project. `make run` and `make test` are the two to know; both set up what they need on a bare Debian 12.
export CCACHE_SLOPPINESS = pch_defines,time_macros,include_file_mtime,include_file_ctime
export CCACHE_BASEDIR = $(CURDIR)
export MAILHOLD_CORPORA ?= $(abspath $(CURDIR)/../shared/corpora)
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)
PROGRAMS := mailhold keyd tokend ledgerd brokerd authd apid resolverd scannerd searchd gatewayd linkd workerd gossipd mailhold-witness mailhold-verify

.PHONY: run test check bench bench-seal bench-broker bench-gateway bench-recover fuzz soak mutants canaries fmt fresh peers programs

run: programs peers
	$(AS_ROOT) /usr/bin/python3 packaging/demo/demo.py

programs:
	packaging/setup build run
	cmake --preset release >build-release.log || (cat build-release.log; false)
	@rm -f build-release.log
	ninja -C build/release $(PROGRAMS)

peers:
	packaging/setup run
	$(AS_ROOT) tests/peers/unpack build/peers/root
	$(AS_ROOT) tests/peers/unpack build/peers/radicale python3-radicale

test: peers
	packaging/setup build run test
	cmake --preset release >/dev/null
	ninja -C build/release
	$(AS_ROOT) tests/run-tests build/release

check:
	packaging/setup build test
	tools/check

bench: bench-seal bench-broker bench-gateway bench-recover

bench-seal: programs
	ninja -C build/release seal_bench && build/release/bin/seal_bench

# Each prints lines "bench NAME ours= peer= unit= ratio= bar= ok|short".
bench-broker: programs peers
	packaging/setup test
	ninja -C build/release ledger_bench keys_bench assertion_bench session_worker
	@mkdir -p run/bench
	build/release/bin/ledger_bench run/bench
	build/release/bin/keys_bench
	$(AS_ROOT) /usr/bin/python3 bench/broker_bench.py

bench-gateway: programs peers
	ninja -C build/release smtp_load smtp_sink
	$(AS_ROOT) /usr/bin/python3 bench/gateway_bench.py

# About an hour: 20,000 messages beside restic, borg and mbsync from a private tree; then search over 200,000, or MESSAGES=, beside notmuch.
bench-recover: programs peers
	packaging/setup test
	$(AS_ROOT) /usr/bin/python3 bench/recover_bench.py
	ninja -C build/release search_bench
	/usr/bin/python3 bench/search_bench.py $(MESSAGES)

fuzz:
	packaging/setup build test
	tools/fuzz $${SECONDS_EACH:-60}

# Hours: T8 (backups of many days), T34 (a log with two histories), 500 rounds of kill -9 under load, T13 (each fuzzer for half an hour).
soak: programs peers
	ninja -C build/release backup_kill_points
	$(AS_ROOT) env MAILHOLD_PROGRAMS=$(CURDIR)/build/release/bin MAILHOLD_KILL_POINTS=420 /usr/bin/python3 tests/faults/T42-kill_points_of_a_backup/test.py
	$(AS_ROOT) /usr/bin/python3 tests/scenarios/ledger/01-witnesses_and_offline_verification/test.py
	$(AS_ROOT) /usr/bin/python3 tests/faults/kill_rounds.py 500
	$(AS_ROOT) env MAILHOLD_T8_DAYS=all /usr/bin/python3 tests/scenarios/keys/T8-shredding_survives_backups/test.py
	tools/fuzz 1800

mutants: peers
	packaging/setup build run test
	$(AS_ROOT) tests/mutants/run

canaries:
	packaging/setup build test
	tests/mutants/canaries/run

fmt:
	git ls-files '*.cpp' '*.h' | xargs clang-format-19 -i

fresh:
	$(AS_ROOT) packaging/fresh
