"""Another machine, over SSH."""

from hermes_environments.ssh.environment import SshEnvironment as SshEnvironment
