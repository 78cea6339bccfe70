"""What a sweep brings along: environments, images, prepared folders."""
