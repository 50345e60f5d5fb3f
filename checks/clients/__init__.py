"""`make clients`: real clients, configured as README.md says, through the real gateway to the stand-in Bedrock.

clients.py    which clients, which calls of each, and what each must come to
programs/     the clients themselves, each a program that imports its SDK and nothing of ours but `serving`
children.py   their processes
answers.py    what the stand-in answers them
judging.py    whether a call came out as it must, at the client and at AWS
"""
