"""A full disk is told as one, however deep the library that met it."""

import errno

import pytest
from safetensors import SafetensorError

from hardship import no_space
from psyllm.core.stages import NO_SPACE
from psyllm.lm.checkpoint import load, save
from psyllm.lm.full_disk import full_disk_told


def test_a_checkpoint_that_does_not_fit_is_told_as_a_full_disk(tiny_folder, tmp_path):
    made = load(tiny_folder)
    with no_space(tmp_path, 20_000), pytest.raises(OSError, match=r"[Ff]ile too large|No space") as caught:
        save(tmp_path / "model", made.model, made.tokenizer, context_tokens=64)
    assert caught.value.errno in NO_SPACE


@pytest.mark.parametrize("number", sorted(NO_SPACE))
def test_the_systems_number_is_kept(number):
    message = f"Error while serializing: I/O error: told in some language (os error {number})"
    with pytest.raises(OSError, match=r".") as caught, full_disk_told():
        raise SafetensorError(message)
    assert caught.value.errno == number


@pytest.mark.parametrize(
    "error",
    [
        SafetensorError("Error while serializing: I/O error: denied (os error 13)"),
        ValueError("something else"),
        OSError(errno.EACCES, "denied"),
    ],
)
def test_what_is_no_full_disk_stays_what_it_is(error):
    with pytest.raises(type(error)) as caught, full_disk_told():
        raise error
    assert caught.value is error
