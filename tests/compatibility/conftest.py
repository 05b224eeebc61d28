"""What the tests with a member of another version begin with."""

from tests.integration.conftest import bench as bench
