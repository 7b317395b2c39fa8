"""The sizes of abacus: a LLaMA small enough to train in minutes on one core and to ship in git."""

import msgspec


class Shape(msgspec.Struct, frozen=True):
    """Sizes of a LLaMA-shaped model with tied embeddings, named as in its config.json."""

    vocab_size: int = 640
    hidden_size: int = 128
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 32
    intermediate_size: int = 384
    max_position_embeddings: int = 512  # the context, in tokens
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-5

    @property
    def query_size(self) -> int:
        """Width of all query heads together."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_value_size(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self.num_key_value_heads * self.head_dim

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Give every weight's Hugging Face name and its (rows, columns), in a fixed order."""
        weights: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (self.vocab_size, self.hidden_size)
        }
        for layer in range(self.num_hidden_layers):
            for name, size in self._layer().items():
                weights[f"model.layers.{layer}.{name}.weight"] = size
        weights["model.norm.weight"] = (self.hidden_size,)
        return weights

    def _layer(self) -> dict[str, tuple[int, ...]]:
        wide, hidden = self.intermediate_size, self.hidden_size
        return {
            "input_layernorm": (hidden,),
            "self_attn.q_proj": (self.query_size, hidden),
            "self_attn.k_proj": (self.key_value_size, hidden),
            "self_attn.v_proj": (self.key_value_size, hidden),
            "self_attn.o_proj": (hidden, self.query_size),
            "post_attention_layernorm": (hidden,),
            "mlp.gate_proj": (wide, hidden),
            "mlp.up_proj": (wide, hidden),
            "mlp.down_proj": (hidden, wide),
        }


ABACUS = Shape()
