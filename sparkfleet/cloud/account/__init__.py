"""The parts of the fleet's AWS account, one idea a module; `sparkfleet.cloud.aws` puts them together."""
