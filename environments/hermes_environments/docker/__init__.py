"""Docker containers."""

from hermes_environments.docker.environment import DockerEnvironment as DockerEnvironment
