"""Parts of the engine for API models: what litellm knows of a model, what is sent, what its errors mean."""
