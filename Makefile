# The targets that people use; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# A JDK 25: JAVA_HOME if it is one, else the usual folders.
JDK := $(shell for home in "$$JAVA_HOME" /usr/lib/jvm/* /opt/java/* /opt/jdk* "$$HOME"/.sdkman/candidates/java/* "$$HOME"/.jdks/* /Library/Java/JavaVirtualMachines/*/Contents/Home; do \
  if [ -x "$$home/bin/javac" ] && grep -qs '^JAVA_VERSION="25' "$$home/release"; then echo "$$home"; break; fi; done)
MVN = JAVA_HOME="$(JDK)" ./mvnw --batch-mode --no-transfer-progress
RUN = target/embedded/quarkus-app/quarkus-run.jar
PRODUCT = target/quarkus-app/quarkus-run.jar
CACHE = target/quarkus-app/app.aot
EXECUTABLE = target/agent-sessions-0.1.0-runner
BENCH = target/bench/quarkus-app/quarkus-run.jar
SOURCES := $(shell find src/main src/dev pom.xml -type f)

# what a recipe leaves half done when it fails is not taken for done
.DELETE_ON_ERROR:

.PHONY: help jdk jdk-home run dev cluster test test-browser busy chaos rolling demo bench bench-get bench-write bench-heartbeats bench-sse bench-cluster bench-actors bench-langgraph bench-upkeep bench-start bench-growth bench-before simulate deploy-check lint-openapi golden format package native native-test image-check repeatable clean reset

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 18

jdk:
	@if [ -z "$(JDK)" ]; then echo "No JDK 25 found: install one (Debian: Temurin's temurin-25-jdk; or https://adoptium.net) or set JAVA_HOME to it."; exit 1; fi

jdk-home: jdk
	@echo "$(JDK)"

run: jdk $(RUN) ## start the service on an embedded Postgres (DATABASE_URL for yours, PORT for another port)
	@exec "$(JDK)/bin/java" --sun-misc-unsafe-memory-access=allow -Dquarkus.http.port=$${PORT:-8080} $(JVM_ARGS) -jar $(RUN)

$(RUN): $(SOURCES) | jdk
	@$(MVN) --quiet -Pembedded package

# Not Maven's batch mode, as the keys of the terminal are for Quarkus (r runs the tests, h lists the others). Its question whether
# it may send figures about builds keeps a machine of two processors from starting; the effective model is what names target/dev
# to the continuous tests.
dev: jdk ## development mode: live reload, continuous tests and Dev UI (/q/dev-ui), on an embedded Postgres (DATABASE_URL, PORT as with run)
	@JAVA_HOME="$(JDK)" ./mvnw --no-transfer-progress --quiet -Pembedded,dev quarkus:dev -Dquarkus.http.port=$${PORT:-8080} \
	  -Dquarkus.analytics.disabled=true -Dquarkus.bootstrap.effective-model-builder=true \
	  -Djvm.args="--sun-misc-unsafe-memory-access=allow $(JVM_ARGS)"

cluster: jdk $(RUN) ## start three servers on one embedded Postgres (SERVERS of them, at PORT=8081 and on), to watch them and to kill some
	@exec $(DEV_RUN) ai.buildscale.agents.dev.Cluster

DEV_RUN = "$(JDK)/bin/java" -cp "target/embedded/quarkus-app/app/*:target/embedded/quarkus-app/lib/main/*:target/embedded/quarkus-app/lib/boot/*"

demo: jdk $(RUN) ## do the main job as a person would, on the service at URL (with TOKEN), or on one of its own (URL may be an artefact to start)
	@$(DEV_RUN) ai.buildscale.agents.dev.Demo $(URL)

test: jdk ## build, and pass every test
	@$(MVN) verify

test-browser: jdk ## pass the tests of pages, in Chromium (the one on the path, or CHROMIUM)
	@$(MVN) verify -Pbrowser -Dtest=NoUnit -Dsurefire.failIfNoSpecifiedTests=false -Dit.test='*BrowserIT'

chaos: jdk ## servers, Postgres and the network fail under load, for long and with the usual leases; all must hold (SEED=… repeats a run)
	@$(MVN) verify -Dtest=NoUnit -Dsurefire.failIfNoSpecifiedTests=false -Dit.test=ChaosIT -Dchaos.long=true -Dchaos.seed=$(SEED)

busy: jdk ## three servers with the usual leases live through MINUTES=10 in which other processes take all the processor time
	@$(MVN) verify -Dtest=NoUnit -Dsurefire.failIfNoSpecifiedTests=false -Dit.test=BusyProcessors -Dbusy.minutes=$(or $(MINUTES),10)

rolling: jdk ## servers of the build at PREVIOUS (a commit; the one in .ci/previous) are replaced by this one's under load, on one schema
	@rm -rf target/previous && git worktree prune && git worktree add --quiet --detach target/previous $(or $(PREVIOUS),$$(cat .ci/previous))
	@cd target/previous && $(MVN) --quiet package -DskipTests -Dspotless.check.skip=true
	@$(MVN) verify -Dtest=NoUnit -Dsurefire.failIfNoSpecifiedTests=false -Dit.test=RollingUpdate -Dprevious.artifact="$(CURDIR)/target/previous/target/quarkus-app/quarkus-run.jar"; code=$$?; git worktree remove --force target/previous; exit $$code

BENCH_CLASSES = target/bench/quarkus-app/app/*:target/bench/quarkus-app/lib/main/*:target/bench/quarkus-app/lib/boot/*
BENCH_RUN = "$(JDK)/bin/java" $(JVM_ARGS) -cp "$(BENCH_CLASSES)" ai.buildscale.agents.bench.Bench

bench: jdk $(CACHE) $(BENCH) ## measure the service against its peers and limits; the figures go to target/bench/report.md
	@$(BENCH_RUN)

bench-get: jdk $(PRODUCT) $(BENCH) ## only: a session by id, against bare Vert.x
	@$(BENCH_RUN) get

bench-write: jdk $(PRODUCT) $(BENCH) ## only: create and transition, against pgbench
	@$(BENCH_RUN) write

bench-heartbeats: jdk $(PRODUCT) $(BENCH) ## only: heartbeats of a million sessions, against pgbench
	@$(BENCH_RUN) heartbeats

bench-sse: jdk $(PRODUCT) $(BENCH) ## only: fan-out of events, against nginx + nchan; and from server to server
	@$(BENCH_RUN) sse two-servers

bench-cluster: jdk $(PRODUCT) $(BENCH) ## only: three servers of which one goes, commands and events from server to server
	@$(BENCH_RUN) cluster commands two-servers

bench-actors: jdk $(PRODUCT) $(BENCH) ## only: messages through chat actors, and what they weigh
	@$(BENCH_RUN) actors

bench-langgraph: jdk $(PRODUCT) $(BENCH) ## only: get, search, talk, create, against LangGraph's local agent server for JavaScript
	@$(BENCH_RUN) langgraph

bench-start: jdk $(CACHE) $(BENCH) ## only: from the start to the first answer, and idle memory: native if it is built, JVM, bare Vert.x (BEFORE=an earlier build's target, to be measured beside)
	@"$(JDK)/bin/java" $(JVM_ARGS) $(if $(BEFORE),-Dbench.before="$(BEFORE)") -cp "$(BENCH_CLASSES)" ai.buildscale.agents.bench.Bench start

bench-upkeep: jdk $(PRODUCT) $(BENCH) ## only: what each statement costs by which a fleet watches and moves itself
	@$(BENCH_RUN) upkeep

bench-before: jdk $(PRODUCT) $(BENCH) ## only: get, create, transition and fan-out, against an earlier build (BEFORE=its quarkus-run.jar; ROWS=get,fan-out for some)
	@"$(JDK)/bin/java" $(JVM_ARGS) -Dbench.before="$(BEFORE)" $(if $(ROWS),-Dbench.before.rows=$(ROWS)) -cp "$(BENCH_CLASSES)" ai.buildscale.agents.bench.Bench before

bench-growth: jdk $(PRODUCT) $(BENCH) ## only: what a request costs with 10,000, 100,000 and a million sessions
	@$(BENCH_RUN) growth

simulate: jdk $(BENCH) ## 1,000 servers and 10 M sessions by the service's own rules: losses, rebalancing, upkeep; to target/bench/simulation.md (SEED=… gives another run)
	@"$(JDK)/bin/java" -Xmx900m -Dsimulation.seed=$(or $(SEED),1) -cp "$(BENCH_CLASSES)" ai.buildscale.agents.bench.simulation.Simulation

$(PRODUCT): $(SOURCES) | jdk
	@$(MVN) --quiet package -DskipTests

$(BENCH): $(SOURCES) $(shell find src/bench -type f) | jdk
	@$(MVN) --quiet -Pembedded,bench package

deploy-check: jdk ## render every overlay of deploy/ and check that it fits together; nginx and the scripts as Compose has them
	@for tool in kubectl nginx openssl; do PATH="$$PATH:/usr/sbin" command -v $$tool > /dev/null || { echo "deploy-check needs $$tool"; exit 1; }; done
	@$(MVN) verify -Dtest='OverlayCheck,ProductionCheck' -Dit.test='ProxyCheck,ProxyStreamsCheck,DevKeysCheck'

lint-openapi: jdk ## read the API's document with spectral, redocly, openapi-typescript and openapi-generator (they go to target/lint-openapi; needs npm)
	@$(MVN) --quiet process-classes
	@.ci/lint-openapi

golden: jdk ## write anew what the build compares: every statement (src/test/resources/sql) and the API's document
	@$(MVN) --quiet test -Dtest='StatementsTest,ApiTest' -Dgolden.write=true

format: jdk ## format the sources
	@$(MVN) --quiet spotless:apply

package: jdk $(CACHE) ## build the production artefact, target/quarkus-app, with a JVM's cache trained by traffic, what it is made of and the licences

$(CACHE): $(PRODUCT) $(RUN)
	@$(DEV_RUN) ai.buildscale.agents.dev.BillOfMaterials target/sbom.json target/quarkus-app
	@$(DEV_RUN) ai.buildscale.agents.dev.Training $(PRODUCT)

native: jdk $(EXECUTABLE) ## build the native executable, target/*-runner (what it is made of: target/native), with GRAALVM_HOME if it is set, else in Mandrel's builder container
	@ls -l $(EXECUTABLE)

$(EXECUTABLE): $(shell find src/main pom.xml -type f) | jdk $(RUN)
	@$(MVN) --quiet package -Dmaven.test.skip=true -Dquarkus.native.enabled=true -Dquarkus.package.jar.enabled=false \
	  $(if $(GRAALVM_HOME),,-Dquarkus.native.container-build=true)
	@mkdir -p target/native
	@$(DEV_RUN) ai.buildscale.agents.dev.BillOfMaterials target/sbom.json target/native

native-test: jdk $(EXECUTABLE) ## pass the tests that speak to the service on the native executable, but for those tagged jvm
	@$(MVN) test-compile failsafe:integration-test@default failsafe:verify@default -DexcludedGroups=jvm \
	  -Dservice.artifact="$(CURDIR)/$(EXECUTABLE)" -Dservice.jvm.args=

image-check: jdk $(EXECUTABLE) ## run the native executable as its image would, without a container engine: user, read-only files, 256 MB; probes, the demo
	@missing=$$(.ci/jail missing); if [ -n "$$missing" ]; then echo "image-check cannot be done: $$missing"; exit 1; fi
	@$(MVN) test-compile failsafe:integration-test@default failsafe:verify@default -Dit.test=ImageCheck \
	  -Dservice.artifact="$(CURDIR)/$(EXECUTABLE)"

repeatable: jdk ## build the artefact twice, from nothing and in two places: it must be the same to the byte
	@JAVA_HOME="$(JDK)" .ci/repeatable

clean: ## remove what was built (the development data stays)
	@rm -rf target

reset: ## remove the development data
	@rm -rf data
