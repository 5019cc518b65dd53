"""Singularity and Apptainer instances."""

from hermes_environments.singularity.environment import (
    SingularityEnvironment as SingularityEnvironment,
)
