"""A base class of `AgreementNormalizer` that adds nothing."""


class ShortReprMixin:
    """Empty: scikit-learn itself abbreviates the parameters that it prints."""
