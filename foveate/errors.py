"""One-line errors and counts in words, for the command line and for batches alike."""


def sentence(error: BaseException) -> str:
    """Turn an exception into one line without its type or trace.

    Args:
        error: Any exception.

    Returns:
        Its message; for errors of the system, the file and what is wrong with it.
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return " ".join(str(error).split()) or type(error).__name__


def counted(number: int, noun: str) -> str:
    """Say how many: ``1 picture``, ``2 pictures``.

    Args:
        number: How many.
        noun: Of one of them; it takes an s for others.

    Returns:
        The number and the noun.
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
