"""What several tests share: real servers, real supervisors, and waiting for facts."""
