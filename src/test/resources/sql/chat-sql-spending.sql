select turns, input_tokens, output_tokens, worked_ms from workspace_spending where workspace_id = $1
