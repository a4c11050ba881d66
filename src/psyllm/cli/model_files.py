"""`psyllm train merge` and `psyllm train export`: models as files for elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psyllm.cli.options import DATA, Data
from psyllm.cli.show import progress_bars

BaseFolder = Annotated[
    Path, typer.Option("--base", help="The checkpoint that the adapter was trained on: folder or name.")
]
AdapterFolder = Annotated[
    Path | None,
    typer.Option("--adapter", help="Folder with the adapter; that of the model in use if not said."),
]
Out = Annotated[Path, typer.Option("--out", help="New folder to write.")]
Model = Annotated[
    Path | None, typer.Option("--model", help="Model folder, or embedded; the model in use if not said.")
]
FormName = Annotated[str, typer.Option("--form", help="safetensors, or gguf for llama.cpp.")]
Dtype = Annotated[str, typer.Option("--dtype", help="fp32, bf16, fp16; int8 as safetensors, q8_0 as gguf.")]


def merge(base: BaseFolder, out: Out, adapter: AdapterFolder = None, data: Data = DATA) -> None:
    """Write a base with an adapter merged into it, in fp32, as a model of its own."""
    from psyllm.core.stages import Stage, need_current
    from psyllm.lm.known import base_folder
    from psyllm.train.merging import merge_folders

    base = base_folder(base, data)
    if adapter is None:
        adapter = need_current(data, Stage.MODELS)[0] / "adapter"
    with progress_bars():
        merge_folders(base, adapter, out)
    typer.echo(f"{out}: {base.name} with {adapter} merged in")


def export(
    out: Out, form: FormName = "safetensors", dtype: Dtype = "fp32", model: Model = None, data: Data = DATA
) -> None:
    """Write a model in another size or for another program, with its card and terms."""
    from psyllm.core.stages import Stage, need_current
    from psyllm.lm.export import export as write
    from psyllm.lm.known import base_folder

    model = need_current(data, Stage.MODELS)[0] / "model" if model is None else base_folder(model, data)
    with progress_bars():
        done = write(model, out, form, dtype)
    for name, size in done.files.items():
        typer.echo(f"{done.folder / name}: {size:,} bytes")
    typer.echo("the model alone: no triage, no guard and no help lines go with it; see MODEL_CARD.md")
