"""PanGu-alpha under transformers: importing this module makes the Auto classes know it.

After `import psyllm.lm.pangu`, `AutoConfig`, `AutoModel`, `AutoModelForCausalLM` and
`AutoTokenizer` load a folder whose config.json says `gpt_pangu` (every published
one) or `pangu`, with our classes and never with code out of the folder. In:
nothing. Out: the registrations, once. The parts are `pangu_config`,
`pangu_model`, `pangu_tokenizer` and `pangu_layouts`; nothing is loaded here.
"""

from __future__ import annotations

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from psyllm.lm.pangu_config import GPTPanguConfig, PanguConfig
from psyllm.lm.pangu_model import GPTPanguForCausalLM, GPTPanguModel, PanguForCausalLM, PanguModel
from psyllm.lm.pangu_tokenizer import GPTPanguTokenizer


def _register() -> None:
    classes = (
        (GPTPanguConfig, GPTPanguModel, GPTPanguForCausalLM),
        (PanguConfig, PanguModel, PanguForCausalLM),
    )
    for config, body, model in classes:
        AutoConfig.register(config.model_type, config, exist_ok=True)
        AutoModel.register(config, body, exist_ok=True)
        AutoModelForCausalLM.register(config, model, exist_ok=True)
        AutoTokenizer.register(config, tokenizer_class=GPTPanguTokenizer, exist_ok=True)


_register()
