"""What must hold of every stack, as rules that need nothing but the resources: run by the CLI's
policy host and by `python -m policy`.
"""
