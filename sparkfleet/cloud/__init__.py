"""Fleet → object store, identities and policies, on AWS or on an S3-compatible store on the premises."""
