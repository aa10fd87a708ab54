as it lies
