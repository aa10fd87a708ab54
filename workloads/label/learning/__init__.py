"""Reviewed text → a model, and a model → labelled text; what preannotate, finetune and evaluate share.

bio          labelled stretches of text ⇄ one tag a word
tokens       a text → tokens and words with their offsets in it (tokenizers)
windows      long texts → overlapping windows, and which window to believe about a word
network      windows → logits (onnxruntime)
decode       logits → scored spans and certainty
model        the four above, as one folder: model.onnx, tokenizer.json, card.json
examples     reviews and seeds → what is learned from, and whether that is anything new
recipes      project.toml and a base → the recipe of the next training
training     examples → weights (torch, transformers)
making       training, export and calibration → a candidate's folder
candidates   the folders of candidates, read
serving      what Calypso serves, fetched
export       weights → model.onnx, and how far the two are apart (torch, onnxruntime)
calibration  how sure a model says it is ⇄ how often it is right
scoring      truth and predictions → precision, recall, F1 and their bootstrap intervals
"""
