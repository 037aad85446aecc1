package ai.buildscale.agents.contract;

import io.quarkus.test.junit.QuarkusIntegrationTest;

@QuarkusIntegrationTest
class StreamTokenIT extends StreamTokenTest {}
