"""An inverse temperature in units of how far similarities are spread."""

from sk_qbnorm.bank import Scaled


def at_beta(tiles, beta, factor, make):
    """Return ``make(tiles, beta)``, or what finds out its `beta` first."""
    if beta == "scale":
        return Scaled(tiles, factor, make)
    return make(tiles, float(beta))


def hold_beta(normalizer, fitted):
    """Let a normalizer go on with the beta that another one has found."""
    if isinstance(getattr(normalizer, "beta", None), str):
        normalizer.set_params(beta=fitted.beta_)
