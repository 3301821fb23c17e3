"""What the project keeps itself."""

from django.db import models


class Lead(models.Model):
    """Somebody who may become a customer."""

    name = models.CharField(max_length=100)
    email = models.EmailField()

    def __str__(self) -> str:
        return self.name
