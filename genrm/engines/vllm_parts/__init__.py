"""Parts of the engine ``vllm:``, each of which can be read on its own; nothing here loads vLLM when imported."""
