#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""JAX: a jitted function, its result read back."""
import os

os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"

import jax
import jax.numpy as jnp
import numpy

import common

step = jax.jit(lambda x: jnp.tanh(x @ x) + jnp.sin(x))
values = jnp.asarray(numpy.linspace(-1, 1, 256 * 256, dtype=numpy.float32).reshape(256, 256))
result = common.timed(lambda: step(values).block_until_ready(), 20)
common.show("result", numpy.asarray(result))
