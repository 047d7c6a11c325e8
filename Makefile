# The front door. Every rule hands over to CMake or to a program in tools/.
.PHONY: all run test quick bench fuzz tidy format install clean

all:
	@tools/deps build
	@tools/build release kan

# ARGS="--app-id orders -- node app.js" and the like go to kan run, in place of
# the contract.
ARGS = examples/bank.kan
run: all
	@exec build/release/kan run $(ARGS)

test:
	@tools/deps test
	@tools/test

# What one changes code against: units with sanitizers, a minute or two.
quick:
	@tools/deps test
	@tools/test quick

bench: all
	@tools/deps bench
	@tools/bench

# TIME is seconds for each target.
fuzz:
	@tools/deps test
	@tools/fuzz $(TIME)

tidy:
	@tools/tidy

format:
	@tools/format

install: all
	@tools/build release all
	@cmake --install build/release

clean:
	@rm -rf build
