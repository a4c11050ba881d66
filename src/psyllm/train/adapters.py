"""Adapters: a small addition to a frozen base is trained in place of all weights.

In: settings and a base. Out: the model to train, checkpoints that hold the
addition only, and at the end of a stage `adapter/` (in peft's files) beside
`model/`, the base with the addition merged in. The addition sits inside the
model's own layers: the model stays of its class, so nothing else in training
need know of it. Merging is done in fp32 on the base as it lies on the disk,
also where training held it in 4 bits. Nothing here takes a step.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from psyllm.core.errors import BadCheckpoint, BadSetting, MissingExtra
from psyllm.core.train_settings import Adapter, TrainSettings
from psyllm.lm.checkpoint import load_base, load_weights, quiet_transformers, save
from psyllm.lm.family import Wish
from psyllm.lm.full_disk import full_disk_told
from psyllm.lm.model_card import CARD_FILE
from psyllm.lm.tokenizer import Tokenizer, read_tokenizer

if TYPE_CHECKING:
    from peft import LoraConfig

ADAPTER = "adapter"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
NAME = "default"  # peft's own
BEFORE_NAMES = "base_model.model."  # in peft's files
REMAKE = "make it again with psyllm train, or name the base that it was trained on"


def check_adapter(settings: TrainSettings) -> None:
    """Refuse what can't be trained, before anything is loaded.

    Raises:
        BadSetting: there is no base to add to, or no card that holds 4 bits, or the optimiser needs whole matrices.
        MissingExtra: bitsandbytes is not installed.
    """
    method = settings.adapter.method
    if method == "full":
        return
    if settings.base is None:
        message = f"train.adapter.method={method} adds to a base, and no base is named"
        raise BadSetting(message, "name one with --base FOLDER, or set train.adapter.method=full")
    stages = {"adapt": settings.adapt, "answer": settings.answer}
    wrong = [name for name, stage in stages.items() if stage.steps and stage.optimizer == "muon"]
    if wrong:
        message = (
            f"train.{wrong[0]}.optimizer=muon turns whole matrices; an adapter has two thin factors of each"
        )
        raise BadSetting(message, f"set train.{wrong[0]}.optimizer=adamw")
    if method == "qlora":
        _check_card()


def _check_card() -> None:
    if not torch.cuda.is_available():
        message = (
            "train.adapter.method=qlora holds the base in 4 bits, which needs an NVIDIA card; none is found"
        )
        raise BadSetting(message, "set train.adapter.method=lora, or run this on a machine with such a card")
    if importlib.util.find_spec("bitsandbytes") is None:
        message = "train.adapter.method=qlora needs the package bitsandbytes"
        raise MissingExtra(message, "install it: pip install 'psyllm[gpu]'")


def load_to_train(
    base: Path, adapter: Adapter, tokenizer: Tokenizer, seed: int, template: Wish
) -> PreTrainedModel:
    """Return the base ready to train: all of it, or frozen with an addition that starts as nothing.

    Raises:
        BadCheckpoint: the base can't be used.
        BadSetting: it has no layer of a name in `targets`.
    """
    if adapter.method == "full":
        return load_base(base, template)[0]
    if adapter.method == "qlora":
        has_bf16 = torch.cuda.is_bf16_supported()
        model = load_in_four_bits(base, torch.bfloat16 if has_bf16 else torch.float16, "cuda", template)
    else:
        model = load_base(base, template)[0]
    attach(model, adapter, range(read_tokenizer(base).size, tokenizer.size), seed)
    return model


def load_in_four_bits(
    base: Path, compute: torch.dtype, device: str, template: Wish = "auto"
) -> PreTrainedModel:
    """Return the base with its linear layers as nf4, their scales quantised too; all else in fp32.

    Source: QLoRA (arXiv 2305.14314), sections 3 and 4.
    """
    from peft import prepare_model_for_kbit_training
    from transformers import BitsAndBytesConfig

    describe: Callable[..., object] = BitsAndBytesConfig
    prepare: Callable[..., PreTrainedModel] = prepare_model_for_kbit_training
    how = describe(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )
    model, _ = load_base(base, template, dtype=compute, quantization_config=how, device_map={"": device})
    return prepare(model, use_gradient_checkpointing=False)


def attach(model: PreTrainedModel, adapter: Adapter, new_tokens: range, seed: int) -> None:
    """Freeze the model and add what is trained, in fp32; the same for the same seed.

    Rows of tokens that the base never saw are trained as well, in the embedding and in the head,
    tied or apart.

    Raises:
        BadSetting: the model has no layer of a name in `targets`.
    """
    from peft import LoraConfig

    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        use_dora=adapter.method == "dora",
        target_modules=list(adapter.targets) or "all-linear",
        fan_in_fan_out=_is_transposed(model),
        trainable_token_indices=_rows_to_train(model, new_tokens),
        task_type="CAUSAL_LM",
    )
    _check_targets(model, adapter.targets)
    torch.manual_seed(seed)
    model.add_adapter(config)
    for weight in model.parameters():
        if weight.requires_grad:  # whatever the base is held in: half precision loses small steps
            weight.data = weight.data.float()


def is_adapted(model: torch.nn.Module) -> bool:
    """Return whether only an addition to the model is trained."""
    return bool(getattr(model, "_hf_peft_config_loaded", False))


def write_adapter(folder: Path, model: PreTrainedModel) -> None:
    """Write what was added as peft writes it; the same bytes for the same adapter.

    Raises:
        OSError: among others, ENOSPC when the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {f"{BEFORE_NAMES}{name}": tensor.contiguous() for name, tensor in _added(model).items()}
    with full_disk_told():
        save_file(weights, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    config: Any = _configs(model)[NAME]
    # where the base lay on this machine is nobody's business; the card names it by its content
    told = config.to_dict() | {"base_model_name_or_path": None, "inference_mode": True}
    ordered = {name: sorted(value) if isinstance(value, set) else value for name, value in told.items()}
    text = json.dumps(ordered, indent=1, sort_keys=True)
    (folder / ADAPTER_CONFIG).write_text(text + "\n", "utf-8")


def read_adapter(folder: Path, model: PreTrainedModel) -> None:
    """Give the model's adapter the weights of a folder, bit by bit.

    Raises:
        BadCheckpoint: they are missing, torn or another adapter's.
    """
    path = folder / ADAPTER_WEIGHTS
    try:
        kept = load_file(path)
    except (OSError, SafetensorError) as error:
        message = f"{path} can't be loaded: {type(error).__name__}"
        raise BadCheckpoint(message, REMAKE) from error
    live = {f"{BEFORE_NAMES}{name}": tensor for name, tensor in _added(model).items()}
    wrong = sorted(
        name for name in kept.keys() | live.keys() if _shape(kept.get(name)) != _shape(live.get(name))
    )
    if wrong:
        message = f"{path} is of another adapter: {len(wrong)} weights differ in name or size, the first is {wrong[0]}"
        raise BadCheckpoint(message, REMAKE)
    with torch.no_grad():
        for name, tensor in live.items():
            tensor.copy_(kept[name])


def restore(model: PreTrainedModel, folder: Path) -> None:
    """Give the model the weights of a checkpoint of its own training.

    Raises:
        BadCheckpoint: they can't be loaded.
    """
    if is_adapted(model):
        read_adapter(folder, model)
    else:
        model.load_state_dict(load_weights(folder).state_dict())


def result_of(target: Path, model: PreTrainedModel) -> Path:
    """Return where the weights lie that `leave` wrote for `target` and `restore` takes."""
    return target.parent / ADAPTER if is_adapted(model) else target


def leave(
    target: Path,
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    base: Path | None,
    *,
    context_tokens: int,
    lineage: dict[str, Any],
) -> None:
    """Write a stage's result: the model, and the adapter beside it where one was trained.

    Raises:
        BadCheckpoint: the base is no longer what it was.
    """
    if base is None or not is_adapted(model):
        save(target, model, tokenizer, context_tokens=context_tokens, lineage=lineage)
        return
    folder = result_of(target, model)
    write_adapter(folder, model)
    merged = merge(with_rows_for(tokenizer, load_weights(base)), folder)
    save(target, merged, tokenizer, context_tokens=context_tokens, lineage=lineage)
    tokenizer.save(folder)
    shutil.copyfile(target / CARD_FILE, folder / CARD_FILE)


def with_rows_for(tokenizer: Tokenizer, model: PreTrainedModel) -> PreTrainedModel:
    """Return a base with a row for every piece; new rows hold noise, for the adapter brings what they learnt."""
    if tokenizer.size > model.config.vocab_size:
        model.resize_token_embeddings(tokenizer.size, mean_resizing=False)
    return model


def merge(model: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    """Return the model with the adapter of a folder added into its weights, in fp32; the model is changed.

    Raises:
        BadCheckpoint: the adapter can't be read, is of another kind or of another model.
    """
    from peft import LoraConfig, LoraModel

    _check_kind(adapter)
    with quiet_transformers():
        try:
            config = LoraConfig.from_pretrained(str(adapter))
            config.fan_in_fan_out = _is_transposed(model)  # no longer so where training held it in 4 bits
            adapted: Any = LoraModel(model, config, NAME)
        except (TypeError, ValueError) as error:
            message = f"the adapter {adapter} can't be added to this base: {type(error).__name__}"
            raise BadCheckpoint(message, REMAKE) from error
        read_adapter(adapter, model)
        merged: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    return merged


def _check_kind(adapter: Path) -> None:
    path = adapter / ADAPTER_CONFIG
    try:
        kind = json.loads(path.read_text("utf-8"))["peft_type"]
    except FileNotFoundError:
        message = f"{adapter} has no {ADAPTER_CONFIG}"
        raise BadCheckpoint(message, "name a folder that holds an adapter in peft's files") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        message = f"{path} does not describe an adapter"
        raise BadCheckpoint(message, REMAKE) from error
    if kind != "LORA":
        message = (
            f"{adapter} holds an adapter of the kind {kind}; only LORA (DoRA and QLoRA too) is merged here"
        )
        raise BadCheckpoint(message, "merge it with peft itself")


def _is_transposed(model: PreTrainedModel) -> bool:
    """Return whether the layers hold their matrices as GPT-2's do, inputs first."""
    return any(isinstance(module, Conv1D) for module in model.modules())


def _rows_to_train(model: PreTrainedModel, new_tokens: range) -> dict[str, list[int]] | None:
    if not new_tokens:
        return None
    layers: list[Any] = [model.get_input_embeddings()]
    if not model.config.tie_word_embeddings:  # a tied head follows by itself
        find_head: Callable[[], Any] = model.get_output_embeddings
        layers.append(find_head())
    names = [name for layer in layers for name, module in model.named_modules() if module is layer]
    return {name: list(new_tokens) for name in names}


def _check_targets(model: PreTrainedModel, targets: tuple[str, ...]) -> None:
    layers = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
    }
    unknown = sorted(set(targets) - layers)
    if unknown:
        message = f"train.adapter.targets names {unknown[0]}, which is no linear layer of the base"
        raise BadSetting(message, f"choose among {', '.join(sorted(layers))}")


def _configs(model: PreTrainedModel) -> dict[str, LoraConfig]:
    configs: dict[str, LoraConfig] = model.__dict__["peft_config"]
    return configs


def _added(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return the weights of the adapter themselves, no copies, by the names of peft's files."""
    from peft import get_peft_model_state_dict

    found: dict[str, torch.Tensor] = get_peft_model_state_dict(
        model, adapter_name=NAME, save_embedding_layers=False
    )
    return found


def _shape(tensor: torch.Tensor | None) -> torch.Size | None:
    return None if tensor is None else tensor.shape
