"""Two projects of the label loop, with generated documents: contracts and invoices.

    python -m examples.make contracts examples/contracts/documents --documents 40 --seed 7

Every sentence, company and number is made up here; nobody's text, nobody's licence.
"""
