"""The trained models: a file of weights and a model card each."""
