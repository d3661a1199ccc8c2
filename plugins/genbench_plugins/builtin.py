"""The built-in plugins by name, with where each class lives: imports nothing heavy."""

import genbench

MODELS = {
    "gan": ("gan:GAN", "Adversarial nets (Goodfellow et al. 2014)"),
    "conditional-gan": ("conditional_gan:ConditionalGAN", "Class-conditional adversarial nets (Mirza & Osindero 2014)"),
    "gan-inference": ("gan_inference:InferenceGAN", "Adversarial nets and a network that infers z from G(z)"),
    "gan-inpainting": ("gan_inpainting:InpaintingGAN", "Adversarial nets that complete any part of an image"),
    "gsn": ("gsn:GSN", "Deep generative stochastic network (Bengio et al. 2014)"),
    "vae": ("vae:VAE", "Variational autoencoder (Kingma & Welling 2014)"),
    "dlgm": ("dlgm:DLGM", "Deep latent Gaussian model of several stochastic layers (Rezende et al. 2014)"),
    "rbm": ("rbm:RBM", "Restricted Boltzmann machine (Smolensky 1986; Hinton 2002; Tieleman 2008)"),
    "dbn": ("dbn:DBN", "Deep belief net of greedily stacked machines (Hinton, Osindero & Teh 2006)"),
    "dbm": ("dbm:DBM", "Deep Boltzmann machine (Salakhutdinov & Hinton 2009)"),
    "mp-dbm": ("mp_dbm:MPDBM", "Multi-prediction deep Boltzmann machine (Goodfellow et al. 2013)"),
    "autoencoder": ("autoencoder:Autoencoder", "Autoencoder, its codes from a mixture of Gaussians"),
    "denoising-autoencoder": (
        "denoising_autoencoder:DenoisingAutoencoder",
        "Generalised denoising autoencoder (Bengio et al. 2013)",
    ),
    "stacked-cae": ("stacked_cae:StackedCAE", "Stacked contractive autoencoders (Rifai et al. 2011, 2012)"),
    "score-matching": (
        "score_matching:ScoreMatching",
        "Denoising score matching, annealed Langevin dynamics (Vincent 2011; Song & Ermon 2019)",
    ),
    "gaussian-energy": (
        "gaussian_energy:GaussianEnergy",
        "A Gaussian energy learned by score matching (Hyvarinen 2005; Vincent 2011)",
    ),
    "nce": ("nce:NCE", "Energy network by noise-contrastive estimation (Gutmann & Hyvarinen 2010)"),
    "train-data": ("train_data:TrainData", "Reference: real training images"),
    "gaussian": ("gaussian:Gaussian", "Reference: a Gaussian fitted to the training images, clipped"),
    "kmeans": ("kmeans:KMeans", "Reference: centroids of the training images"),
    "pca": ("pca:PCA", "Reference: training images reconstructed from a few principal components"),
}
METRICS = {
    "parzen": ("parzen:Parzen", "Log-likelihood of test images under a Parzen window on samples"),
    "fid": ("fid:FID", "Frechet distance between features of samples and of test images"),
    "kid": ("kid:KID", "Kernel distance between features of samples and of test images, unbiased"),
    "is": ("inception_score:InceptionScore", "Inception score: sure of each sample's class, unsure of all together"),
    "precision": ("neighbourhoods:Precision", "Share of samples that lie among real images"),
    "recall": ("neighbourhoods:Recall", "Share of real images that lie among samples"),
    "density": ("neighbourhoods:Density", "How many real images' neighbourhoods hold a sample"),
    "coverage": ("neighbourhoods:Coverage", "Share of real images' neighbourhoods that hold a sample"),
    "prd": ("prd:PRD", "Precision and recall of distributions, by cells of features"),
    "ms-ssim": ("ms_ssim:MSSSIM", "Similarity of pairs of samples, beside that of real images"),
    "mode-coverage": ("mode_coverage:ModeCoverage", "Shares of classes among samples, and which are missing"),
    "memorisation": ("memorisation:Memorisation", "Whether samples are nearer to training images than fresh ones"),
    "jsd": ("jsd:JensenShannon", "Jensen-Shannon divergence from a known density"),
    "discriminator-gap": ("discriminator_gap:DiscriminatorGap", "A discriminator's distance from the best one"),
    "log-likelihood": ("log_likelihood:LogLikelihood", "Exact log-likelihood of test images, by models that know it"),
    "bound": ("bound:LikelihoodBound", "Lower bound on the log-likelihood of test images, by importance weights"),
    "ais": ("ais:AIS", "Log-likelihood of test images by annealed importance sampling"),
    "probe-accuracy": ("probe_accuracy:ProbeAccuracy", "Accuracy of a linear probe on a model's features, few labels"),
}
DATASETS = {
    "digits": ("genbench_plugins.datasets.digits:Digits", "1,797 digits of 8x8, bundled: no network"),
    "mnist": ("genbench_plugins.datasets.mnist:MNIST", "70,000 digits of 28x28"),
    "fashion-mnist": ("genbench_plugins.datasets.mnist:FashionMNIST", "70,000 articles of clothing of 28x28"),
    "cifar10": ("genbench_plugins.datasets.cifar10:CIFAR10", "60,000 colour images of 32x32"),
    "tfd": (
        "genbench_plugins.datasets.tfd:TFD",
        "100,000 faces of 48x48 in five folds: ask their authors for the file",
    ),
    "gaussian1d": ("genbench_plugins.datasets.synthetic:Gaussian1D", "Numbers from a Gaussian: known density"),
    "mixture1d": ("genbench_plugins.datasets.synthetic:Mixture1D", "Numbers from a mixture: known density"),
    "npz": ("genbench_plugins.datasets.npz:NpzDataset", "Your own arrays: npz:PATH"),
    "folder": ("genbench_plugins.datasets.folder:FolderDataset", "Your own images: folder:PATH"),
}
EXTRACTORS = {
    "pixels": ("pixels:Pixels", "The pixel values themselves"),
    "domain": ("domain:Domain", "A small classifier of the images' own domain: its weights shipped, or trained here"),
    "inception": ("fidelity:Inception", "The Inception of published FID, for colour photographs: weights downloaded"),
    "vgg16": ("fidelity:VGG16", "The VGG16 of improved precision and recall: weights downloaded"),
    "clip": ("published:CLIP", "OpenAI's CLIP ViT-B/32, as clean-fid takes it: weights downloaded"),
    "dinov2": ("published:DINOv2", "The DINOv2 ViT-L/14 of FD-DINOv2, as dgm-eval takes it: weights downloaded"),
    "random": ("random_convolutions:RandomConvolutions", "Fixed random convolutions: any images, no labels"),
}


@genbench.hookimpl
def register_models(register: genbench.Register) -> None:
    """Register the built-in models."""
    for name, (target, summary) in MODELS.items():
        register(name, f"genbench_plugins.models.{target}", summary=summary)


@genbench.hookimpl
def register_metrics(register: genbench.Register) -> None:
    """Register the built-in metrics."""
    for name, (target, summary) in METRICS.items():
        register(name, f"genbench_plugins.metrics.{target}", summary=summary)


@genbench.hookimpl
def register_datasets(register: genbench.Register) -> None:
    """Register the built-in datasets."""
    for name, (target, summary) in DATASETS.items():
        register(name, target, summary=summary)


@genbench.hookimpl
def register_extractors(register: genbench.Register) -> None:
    """Register the built-in feature extractors."""
    for name, (target, summary) in EXTRACTORS.items():
        register(name, f"genbench_plugins.extractors.{target}", summary=summary)


@genbench.hookimpl
def register_engines(register: genbench.Register) -> None:
    """Register the built-in engines."""
    register("inline", "genbench.engines.inline:InlineEngine", summary="One trial after another, in this process")
    register("process", "genbench.engines.process:ProcessEngine", summary="Several trials at once, in warm workers")
    register("ray", "genbench_plugins.engines.ray_engine:RayEngine", summary="Trials on the nodes of a Ray cluster")
    register("slurm", "genbench_plugins.engines.slurm_engine:SlurmEngine", summary="Trials as Slurm's job arrays")
