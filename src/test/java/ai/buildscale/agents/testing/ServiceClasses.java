package ai.buildscale.agents.testing;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;

/** What is deployed: no tests, and nothing of src/dev, which development mode compiles together with the service. */
public final class ServiceClasses implements ImportOption {
    @Override
    public boolean includes(Location location) {
        return !location.contains("/test-classes/") && !location.contains("/agents/dev/");
    }
}
