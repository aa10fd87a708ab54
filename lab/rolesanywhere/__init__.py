"""A simulated IAM Roles Anywhere: a signed request → a session that the lab's store knows, or a refusal. SIMULATED.

Real: TLS, the signature (AWS4-X509-ECDSA-SHA256), the chain of certificates, their times and uses, the conditions of
the role's trust policy, and keys of a session that end with it. Not AWS's: the code, the words of refusals, the
account. What was read of the real service stands beside each check; nobody has compared the two.
"""
