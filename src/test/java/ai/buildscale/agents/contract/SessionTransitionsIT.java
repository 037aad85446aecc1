package ai.buildscale.agents.contract;

import io.quarkus.test.junit.QuarkusIntegrationTest;

@QuarkusIntegrationTest
class SessionTransitionsIT extends SessionTransitionsTest {}
