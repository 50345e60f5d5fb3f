"""`make clients`: real clients, configured as README.md says, through the real gateway to the stand-in Bedrock.

clients.py            which clients, which calls of each, and what each must come to
aws_clients.py        the same of AWS's own, by key and by issued pair, and with clocks that are late
configurations.py     what there is to say of a client
programs/             the clients themselves, each a program that imports its SDK and nothing of ours but `serving`
children.py           their processes
issuing.py            the administrator, who gives each client a key of its own
answers.py            what the stand-in answers them
judging.py            whether a call came out as it must, at the client and at AWS
steps.py              clients of the admin routes, whose steps each see what those before have left
litellm_commands.py   LiteLLM's command line
litellm_library.py    LiteLLM's library for administrators
"""
