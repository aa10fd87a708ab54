"""Documents → texts, tables and Parquet, one slice at a time, each in a worker that may die.

    triage → plan → pool of caged workers → checks → shelf          (what cannot be read: quarantine, with its reason)

formats     a file's first bytes and its name → what it is
plan        what triage saw → slices, and what is tried next when one fails; pure
checks      a text → why nobody should label it, or nothing; pure
messages    what goes between us and a worker: JSON that is checked, never pickles
sizes       cores, memory and GPUs → workers, threads and batches; pure
pool        worker processes: started, fed, timed, weighed, killed
template    a process that has loaded what readers need; workers are copies of it, which `copies` orders
server      the models of a GPU, in a process of their own; `serving` is what is said to it
worker      the process; it closes its cage before it opens a document
cage        no network, no programs, no files outside its folder, not too much memory
readers/    one module a way to read a document; each heavy library in its own
shelf       what slices gave → text, Parquet and record, whole or not at all
weights     which model files a batch needs; told before it starts
"""
