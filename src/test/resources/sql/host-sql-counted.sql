update turns set told_input = 0, told_output = 0 where id = $1
