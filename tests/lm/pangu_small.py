"""Small PanGu models, their files in every published layout, and the model once more in plain formulas."""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional

from psyllm.lm.pangu_config import GPTPanguConfig
from psyllm.lm.pangu_model import GPTPanguForCausalLM

SIZES = {
    "vocab_size": 61,
    "max_position_embeddings": 24,
    "hidden_size": 16,
    "num_layers": 3,
    "num_heads": 4,
    "resid_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "attn_pdrop": 0.0,
}
KINDS = {
    "plain": {},
    "one layer": {"num_layers": 1},
    "odd": {
        "activation_function": "gelu_new",
        "intermediate_size": 56,
        "scale_attn_weights": False,
        "layer_norm_epsilon": 1e-3,
    },
}
REMOTE = {
    "AutoConfig": "configuration_gptpangu.GPTPanguConfig",
    "AutoTokenizer": ["tokenization_gptpangu.GPTPanguTokenizer", None],
    "AutoModelForCausalLM": "modeling_gptpangu.GPTPanguForCausalLM",
}


def small_model(seed=3, attention="sdpa", dtype=torch.float32, **changes):
    """Return a model whose weights are all large enough to be seen in the logits."""
    model = GPTPanguForCausalLM(GPTPanguConfig(**{**SIZES, **changes}))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3 + (weight.dim() == 1) * 0.5)
    model.set_attn_implementation(attention)
    return model.to(dtype).eval()


def some_ids(*shape, seed=1, most=SIZES["vocab_size"]):
    return torch.randint(10, most, shape, generator=torch.Generator().manual_seed(seed))


def by_formula(model, ids):
    """Return the logits of one unpadded row, written from the paper's formulas and nothing of ours."""
    weights = {name.removeprefix("transformer."): w.double() for name, w in model.state_dict().items()}
    config = model.config
    act = {"gelu": functional.gelu, "gelu_new": lambda x: functional.gelu(x, approximate="tanh")}

    def norm(name, x):
        spread = ((x - x.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True)
        scaled = (x - x.mean(-1, keepdim=True)) / (spread + config.layer_norm_epsilon).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def times(name, x):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def heads(x):
        return x.view(len(x), config.num_heads, -1).transpose(0, 1)

    time = len(ids)
    blind = torch.ones(time, time).triu(1).bool()
    x = weights["wte.weight"][ids] + weights["wpe.weight"][:time]
    for number in range(config.num_layers):
        name = f"h.{number}"
        top = number == config.num_layers - 1
        x = norm("ln_f", x) if top else x
        known = norm(f"{name}.ln_1", x)
        query = heads(times(f"{name}.attn.q_proj", weights["wqe.weight"][:time] if top else known))
        key, value = heads(times(f"{name}.attn.k_proj", known)), heads(times(f"{name}.attn.v_proj", known))
        scores = query @ key.transpose(1, 2)
        scores = scores / math.sqrt(query.shape[-1]) if config.scale_attn_weights else scores
        found = scores.masked_fill(blind, -math.inf).softmax(-1) @ value
        x = x + times(f"{name}.attn.c_proj", found.transpose(0, 1).reshape(time, -1))
        inner = act[config.activation_function](times(f"{name}.mlp.c_fc", norm(f"{name}.ln_2", x)))
        x = x + times(f"{name}.mlp.c_proj", inner)
    return x @ weights["wte.weight"].T


def published_config(model, **changes):
    """Return config.json as the published ones read: no pad, no head's tie, code of their own."""
    names = (*SIZES, "activation_function", "layer_norm_epsilon", "scale_attn_weights", "use_cache")
    fields = {name: getattr(model.config, name) for name in names}
    inner = model.config.intermediate_size
    fields["intermediate_size"] = None if inner == 4 * model.config.hidden_size else inner
    more = {
        "model_type": "gpt_pangu",
        "architectures": ["GPTPanguForCausalLM"],
        "torch_dtype": "float32",
        "auto_map": REMOTE,
        "summary_type": "cls_index",
        "summary_use_proj": True,
    }
    return {**fields, **more, **changes}


def published_weights(model, *, buffers=False, head="absent", half=False):
    """Return the state dict as the published files hold it; `head` is absent, tied or apart."""
    weights = {name: w.detach().clone() for name, w in model.state_dict().items() if name != "lm_head.weight"}
    if half:
        weights = {name: weight.half() for name, weight in weights.items()}
    if head != "absent":
        embedding = weights["transformer.wte.weight"]
        weights["lm_head.weight"] = embedding if head == "tied" else embedding.clone()
    if buffers:
        most = model.config.max_position_embeddings
        for number in range(model.config.num_layers):
            ones = torch.ones(most, most, dtype=torch.uint8).tril()[None, None]
            weights[f"transformer.h.{number}.attn.bias"] = ones
            weights[f"transformer.h.{number}.attn.masked_bias"] = torch.tensor(-1e4)
    return weights


def write_folder(folder: Path, config, weights, *, file="zip"):
    """Write a folder whose weights are in one of the ways that exist."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    if file == "legacy":
        torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    elif file == "zip":
        torch.save(weights, folder / "pytorch_model.bin")
    elif file == "safetensors":
        kept = {name: weight.clone() for name, weight in weights.items()}
        save_file(kept, folder / "model.safetensors", {"format": "pt"})
    else:
        write_shards(folder, weights, parts=int(file.removeprefix("shards ")))
    return folder


def write_shards(folder, weights, parts):
    """Write pytorch_model-1-of-3.bin and so on, with an index whose total is wrong as the published one's."""
    names = sorted(weights)
    where = {name: f"pytorch_model-{1 + place % parts}-of-{parts}.bin" for place, name in enumerate(names)}
    for shard in set(where.values()):
        torch.save({name: weights[name] for name in names if where[name] == shard}, folder / shard)
    index = {"metadata": {"total_size": 18520}, "weight_map": where}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index), "utf-8")
