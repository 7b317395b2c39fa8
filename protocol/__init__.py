"""What is said between client, broker and worker. Reading order: ids, messages, frames, errors."""
