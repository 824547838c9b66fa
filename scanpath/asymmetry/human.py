"""What people and published models did in the six experiments."""

__all__ = ["HUMAN_REACTION_TIMES", "PUBLISHED_INDICES", "RT_INTERCEPT", "RT_SLOPE", "human_slopes"]

# Milliseconds = RT_SLOPE * saccades + RT_INTERCEPT, as the authors fitted them.
RT_SLOPE = 252.359
RT_INTERCEPT = 376.271

# Mean reaction times in milliseconds for each set size, read off the figures of the original studies by the authors of
# Gupta et al. (NeurIPS 2021); experiments 3 and 4 as published lines (intercept, slope) at their set sizes.
HUMAN_REACTION_TIMES: dict[str, tuple[float, ...]] = {
    "curvature_curve_in_lines": (510.0, 516.4, 529.2),
    "curvature_line_in_curves": (565.0, 640.0, 750.0),
    "lightning_dir_top_down": (1280 / 3, 432.0, 472.0),
    "lightning_dir_left_right": (488.0, 2024 / 3, 2264 / 3),
    "intersection_non_cross": (645.0, 780.0, 915.0),
    "intersection_cross": (829.0, 1117.0, 1405.0),
    "intersection_Ts": (541.0, 583.0, 625.0),
    "intersection_Ls": (573.0, 672.0, 771.0),
    "categorization_homo_t20": (7880 / 19, 8320 / 19, 8380 / 19, 8440 / 19),
    "categorization_homo_t0": (8200 / 19, 10400 / 19, 10500 / 19, 10600 / 19),
    "categorization_hetero_t0": (8200 / 19, 10800 / 19, 12040 / 19, 13440 / 19),
    "categorization_hetero_t20": (10000 / 19, 15800 / 19, 20600 / 19, 25200 / 19),
}

# Index of each experiment, recomputed from the per-trial tables that the authors published.
PUBLISHED_INDICES: dict[str, tuple[float, ...]] = {
    "humans": (0.809, 0.701, 0.362, 0.404, 0.611, 0.500),
    "eccNET": (1.000, 1.000, 0.495, 0.789, -1.000, 0.791),
    "IVSN": (0.830, 0.988, -0.631, 0.290, -0.581, 1.000),
    "eccNET, MNIST weights": (0.997, 0.274, 0.060, -0.108, 0.040, -0.153),
    "eccNET, last layer": (-0.008, 0.970, -0.276, 0.392, -0.528, -0.046),
    "no eccentricity": (0.962, -0.771, -0.679, 0.803, 1.000, -1.000),
    "chance": (0.414, -0.261, 0.400, 0.129, -0.294, -0.407),
    "pixel match": (-1.000, -0.568, 0.000, -1.000, 1.000, 0.502),
    "eccNET, rotated ImageNet": (-1.000, -1.000, -0.092, -0.173, -1.000, 0.834),
    "eccNET, straight lines added": (0.441, 0.000, 0.098, 0.010, 0.136, -0.034),
    "eccNET, fisheye": (-0.988, 1.000, 0.273, 0.429, -1.000, 0.123),
    "eccNET, Places365": (0.831, 0.000, -0.352, 0.902, -1.000, 0.896),
    "eccNET, rotated Places365": (0.000, 1.000, 0.714, 0.906, 0.000, 1.000),
}


def human_slopes() -> dict[str, float]:
    """Return how much longer people need for each further item, milliseconds, by task."""
    from foveate.scanpath.asymmetry.experiments import EXPERIMENTS
    from foveate.scanpath.asymmetry.index import slopes_of_means

    return {
        task.name: float(slopes_of_means(experiment.set_sizes, HUMAN_REACTION_TIMES[task.name]))
        for experiment in EXPERIMENTS
        for task in experiment.tasks
    }
